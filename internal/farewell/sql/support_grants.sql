select t.id, row_to_json(t)::text from app.support_grants t where t.id > $1 order by t.id limit $2

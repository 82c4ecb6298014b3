select t.id, row_to_json(t)::text from app.account_deletions t where t.id > $1 order by t.id limit $2

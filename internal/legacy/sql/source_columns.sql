-- The columns of one of the old tables; none if it does not exist.
select a.attname::text
  from pg_attribute a
 where a.attrelid = to_regclass(format('%I.%I', $1::text, $2::text)) and a.attnum > 0 and not a.attisdropped
 order by a.attnum

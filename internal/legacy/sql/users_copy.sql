-- who comes from the old system has set up there: nobody is asked on the day of the move
insert into app.users (id, email, full_name, phone, created_at, onboarding_step, onboarding_completed)
select row_id, email, name, phone, coalesce(created_at, now()), 6, true
  from app_private.legacy_users
 where place > $1 and place <= $2 and problem is null and not known
 order by place

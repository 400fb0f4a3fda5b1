-- A call that is no step of a run sets money aside, too: until it is settled, or until it must be
-- over whatever became of it.

alter table budget_reservations add column expires_at timestamptz;

-- How long a model thought is asked with every thread that shows its thoughts.

create index events_reasoning on events (workspace_id, run_id, time) where type = 'reasoning_delta';

-- Which messages a fallback wrote is asked with every thread that is opened.

create index events_model_switched on events (workspace_id, conversation_id, seq)
  where type = 'model_switched';

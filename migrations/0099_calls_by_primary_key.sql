-- Read backwards, the primary key (workspace_id, id) gives the calls newest first, too: every call
-- paid for keeping the same order twice.
drop index usage_entries_calls;

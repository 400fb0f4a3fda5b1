-- The process that ran a server's container last: it still has the log and knows what was refused.
alter table mcp_instances add column last_owner uuid;
update mcp_instances set last_owner = owner;

-- Of the tokens that models read, those that the provider read from its cache or wrote to it: both
-- have prices of their own.

alter table runs add column cached_input_tokens bigint not null default 0,
  add column cache_written_tokens bigint not null default 0;
alter table run_steps add column cached_input_tokens bigint not null default 0,
  add column cache_written_tokens bigint not null default 0;
alter table usage_entries add column cached_input_tokens bigint not null default 0,
  add column cache_written_tokens bigint not null default 0;

-- An agent's version that conversations use is the live one; a version that was saved and not
-- published is its draft. Conversations that try drafts out use that, as long as there is one.

alter table agents add column draft_version int;
alter table conversations add column uses_draft boolean not null default false;

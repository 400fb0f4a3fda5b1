-- Rights that a server wanted beyond those of its tokens: the next sign-in asks for them, too.
alter table mcp_sign_ins add column wanted_scopes text[] not null default '{}';

-- Whether a person or a model gave a conversation its title; otherwise it has the first words of its
-- first message. What is there already counts as given, so that nothing is renamed.

alter table conversations add column is_titled boolean not null default true;
alter table conversations alter column is_titled set default false;

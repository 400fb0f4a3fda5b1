-- Whether a model thinks before it answers, as people here say.

alter table edited_models add column supports_reasoning boolean;

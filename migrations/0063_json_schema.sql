-- Whether a model keeps to a JSON schema that its answers shall have, as people here say.

alter table edited_models add column supports_json_schema boolean;

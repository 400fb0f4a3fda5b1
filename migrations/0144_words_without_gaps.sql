-- Chinese, Japanese and Thai put no gaps between words: what is written so is found by each two
-- characters that follow each other, and by the last one (as in `store/words.rs`).
create function pairs_of(text text) returns tsvector language sql immutable parallel safe as $$
  select coalesce(array_to_tsvector(array_agg(distinct pair)), '')
  from (
    select letter || coalesce(lead(letter) over (partition by run order by place), '') as pair
    from regexp_matches(text,
        '[\u0e00-\u0e7f\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+', 'g')
      with ordinality as found (letters, run),
      string_to_table(letters[1], null) with ordinality as each (letter, place)
  ) pairs
$$;

create or replace function words_of(text text) returns tsvector
language sql immutable parallel safe as $$
  select to_tsvector('simple', regexp_replace(left(text, 100000),
    '[-./@<&+~:_\u0080-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u1680\u2000-\u200b\u200e-\u206f'
    '\u3000-\u3004\u3008-\u3020\uff01-\uff0f\uff1a-\uff20]', ' ', 'g'))
  || case when octet_length(text) > char_length(text) then pairs_of(left(text, 100000)) else '' end
$$;

-- What exists already.
alter table messages no force row level security;
alter table message_words no force row level security;
update message_words w set words = words_of(m.text)
from messages m
where m.workspace_id = w.workspace_id and m.id = w.message_id
  and m.text ~ '[\u0e00-\u0e7f\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]';
alter table message_words force row level security;
alter table messages force row level security;

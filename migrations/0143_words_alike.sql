-- Parts words where the program does for answers (`store/words.rs`), whatever the database's locale
-- takes for punctuation. The first ten stand for what to_tsvector() would keep inside of a word.
create or replace function words_of(text text) returns tsvector
language sql immutable parallel safe as $$
  select to_tsvector('simple', regexp_replace(left(text, 100000),
    '[-./@<&+~:_\u0080-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u1680\u2000-\u200b\u200e-\u206f'
    '\u3000-\u3004\u3008-\u3020\uff01-\uff0f\uff1a-\uff20]', ' ', 'g'))
$$;

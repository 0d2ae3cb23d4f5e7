-- The kept answers go: a request repeated afterwards is done again.

drop table @idempotency_texts;
drop table @idempotency_keys;

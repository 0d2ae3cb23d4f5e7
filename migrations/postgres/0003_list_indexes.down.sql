-- The indexes go; the extensions stay, because others may use them.

drop index if exists @ideas_by_words;
drop index if exists @tasks_by_words;
drop index @ideas_in_order_of_priority;
drop index @ideas_in_order_of_stage;
drop index @tasks_in_order_of_priority;
drop index @tasks_in_order_of_completion;

-- Indexes for the orders that had none, and for facts about all rows of a user.
-- Each may be there already.

-- A page of these orders is read from its index. The last columns let one pass over the index count what is open,
-- done, urgent and overdue, without a look at the rows.
create index if not exists tasks_in_order_of_completion on @tasks (user_id, completed, id, priority, due_date);
create index if not exists tasks_in_order_of_priority on @tasks
    (user_id, (case priority when 'low' then 1 when 'medium' then 2 else 3 end), id);
create index if not exists ideas_in_order_of_stage on @ideas
    (user_id, (case stage when 'idea' then 1 when 'outline' then 2 when 'draft' then 3 else 4 end), id,
     stage, priority, due_date);
create index if not exists ideas_in_order_of_priority on @ideas
    (user_id, (case priority when 'low' then 1 when 'medium' then 2 else 3 end), id);

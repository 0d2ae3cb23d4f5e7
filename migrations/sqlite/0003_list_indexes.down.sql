-- The indexes go.

drop index @ideas_in_order_of_priority;
drop index @ideas_in_order_of_stage;
drop index @tasks_in_order_of_priority;
drop index @tasks_in_order_of_completion;

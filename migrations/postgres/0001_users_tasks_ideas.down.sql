-- Everything of users, tasks and ideas goes, with all rows.

drop table @idea_tags;
drop table @ideas;
drop table @task_tags;
drop table @tasks;
drop table @users;

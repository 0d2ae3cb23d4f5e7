//! The HTTP contract, tried as its users would: a real server on a real port in this process, on both databases.

mod harness;

mod batch;
mod behaviour;
mod bodies;
mod claims;
mod conditions;
mod erasure;
mod facts;
mod faults;
mod fields;
mod ids;
mod isolation;
mod keys;
mod kills;
mod lists;
mod logs;
mod model;
mod openapi;
mod origins;
mod owner;
mod pages_walk;
mod problems;
mod protocol;
mod refusals;
mod repeats;
mod search;
mod shutdown;
mod streams;
mod strict;
mod todo;
mod todo_writes;
mod together;
mod twins;
mod v1;

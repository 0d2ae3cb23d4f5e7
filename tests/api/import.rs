//! `creatorvault import`: rows of other back ends, of either engine, into either engine, seen through the API afterwards.

mod alike;
mod long;
mod meanwhile;
mod refusals;
mod same;
mod shapes;

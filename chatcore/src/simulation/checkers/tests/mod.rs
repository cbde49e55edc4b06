//! The checkers judged: a correct history is green, and each kind of loss is red.

mod correct;
mod planted;
mod planted_decided;
mod planted_ended;
mod planted_told;
mod world;

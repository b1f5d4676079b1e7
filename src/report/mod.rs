//! Pictures for people.

mod front;

pub use front::front_svg;

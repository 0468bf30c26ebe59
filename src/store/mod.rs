//! The stores behind the core's ports. They know the core's words and their own database, and nothing else here.

pub mod embedded;

//! The nine classes of refusal. Every door maps these nine, exhaustively; what needs its own word has its own row there.

/// What class of "no" an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The request cannot be understood.
    Malformed,
    /// Nobody knows who is asking.
    Unauthenticated,
    /// The one who asks may not.
    Forbidden,
    /// There is no such thing, or none that the one who asks may know of.
    NotFound,
    /// It contradicts what is already there.
    Conflict,
    /// One thing is larger than its limit.
    TooLarge,
    /// Too many things, or too often.
    TooMany,
    /// It cannot be done now; try again.
    Unavailable,
    /// A mistake of ours.
    Internal,
}

//! Numbers that this node has reserved: segments, and users and groups together (append rules N4, N6, N7).
//!
//! A block is used only after the store has answered; what is left of it when the node stops is a harmless gap.

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::store::{Block, Sequence, Store, StoreError};

/// How many numbers one block of segments has. Small enough that numbers stay small, large enough that a draw is rare.
const SEGMENTS: u64 = 1_024;
/// How many numbers one block of users and groups has.
const PRINCIPALS: u64 = 64;
/// Integer forms of direct conversations in one block.
const DIRECTS: u64 = 64;

/// The blocks that are in use.
pub(crate) struct Numbers {
    store: Arc<dyn Store>,
    segments: Mutex<Option<Block>>,
    principals: Mutex<Option<Block>>,
    directs: Mutex<Option<Block>>,
}

impl Numbers {
    /// Nothing is reserved yet.
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, segments: Mutex::new(None), principals: Mutex::new(None), directs: Mutex::new(None) }
    }

    /// A number that nobody was given before, greater than `above`: a block that lies too low is left, because a
    /// fresh one lies above everything that was drawn before (N4).
    pub(crate) async fn take(&self, sequence: Sequence, above: u64) -> Result<u64, StoreError> {
        let (block, size) = match sequence {
            Sequence::Segments => (&self.segments, SEGMENTS),
            Sequence::Principals => (&self.principals, PRINCIPALS),
            Sequence::Directs => (&self.directs, DIRECTS),
        };
        let mut block = block.lock().await;
        if let Some(rest) = block.as_mut()
            && rest.count > 0
            && rest.first > above
        {
            return Ok(next(rest));
        }
        let mut fresh = self.store.draw(sequence, size).await?;
        let number = next(&mut fresh);
        if number <= above {
            return Err(StoreError::Corrupt(format!("a fresh block of {sequence:?} begins at {number}, not above {above}")));
        }
        *block = Some(fresh);
        Ok(number)
    }
}

fn next(block: &mut Block) -> u64 {
    let number = block.first;
    block.first += 1;
    block.count -= 1;
    number
}

//! Memory: taking it, leaving things in it, and looking for what others left.

use std::cell::RefCell;

thread_local! {
    /// Kept for the life of the instance.
    static KEPT: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Takes and touches so many MiB, keeps them, and gives how many the instance holds.
pub fn allocate(mib: u64) -> usize {
    for _ in 0..mib {
        let piece = vec![0xa5_u8; 1 << 20];
        KEPT.with_borrow_mut(|kept| kept.push(std::hint::black_box(piece)));
    }
    KEPT.with_borrow(Vec::len)
}

/// Leaves a secret all over: kept by the program, in freed memory, and on the stack.
pub fn hide(secret: &str) {
    KEPT.with_borrow_mut(|kept| kept.push(secret.as_bytes().to_vec()));
    let freed: Vec<Vec<u8>> = (0..1000).map(|_| secret.as_bytes().to_vec()).collect();
    drop(std::hint::black_box(freed));
    let mut stack = [0_u8; 256];
    let length = secret.len().min(stack.len());
    stack[..length].copy_from_slice(&secret.as_bytes()[..length]);
    std::hint::black_box(&stack);
}

/// How often a text stands in the memory. It is given backwards, so that looking for it does not
/// put it there.
pub fn scan(backwards: &str) -> usize {
    let pattern = backwards.as_bytes();
    let Some(first) = pattern.last() else { return 0 };
    let size = core::arch::wasm32::memory_size(0) * 65_536;
    let matches = |at: usize| {
        let mut letters = pattern.iter().rev().enumerate();
        letters.all(|(offset, letter)| byte(at + offset) == *letter)
    };
    let starts = 1..size.saturating_sub(pattern.len());
    starts.filter(|&at| byte(at) == *first && matches(at)).count()
}

fn byte(at: usize) -> u8 {
    // SAFETY: the caller stays below the memory's size, and a byte may be read from anywhere in it.
    unsafe { std::ptr::read_volatile(at as *const u8) }
}

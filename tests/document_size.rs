//! What a file near the size limit costs.
//!
//! Memory is counted by the allocator. Seconds are not asserted, since they depend on the
//! machine; a reader that is not linear in the file's length does not end here at all.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use lagoa::diagnostic::Source;
use lagoa::document::{NODE_LIMIT, document, parse};

/// Bytes of memory at the peak per byte of text: the text itself, the flat tree, the tree,
/// and what growing vectors leave behind.
const PER_BYTE: usize = 4;
/// Bytes of memory at the peak that a node may cost besides its text.
const PER_NODE: usize = 200;

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(live, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The peak of memory during `work`, above what was there before.
fn peak_of(work: impl FnOnce()) -> usize {
    let before = LIVE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    work();
    PEAK.load(Ordering::Relaxed) - before
}

fn large_stack() -> (String, usize) {
    let line = "é".repeat(40);
    let mut text = "stack: large\nresources:\n".to_owned();
    let mut count = 0;
    while text.len() < 9_000_000 {
        text.push_str(&format!("  bucket-{count}:\n    kind: s3_bucket\n    note: >-\n"));
        for _ in 0..8 {
            text.push_str(&format!("      {line}\n"));
        }
        count += 1;
    }
    (text, count)
}

fn limit_for(text: &str) -> usize {
    text.len() * PER_BYTE + NODE_LIMIT * PER_NODE
}

/// One test, since tests of one file share the count.
#[test]
fn memory_follows_the_length_of_the_file() {
    let (text, count) = large_stack();
    let allowed = limit_for(&text);
    let peak = peak_of(|| {
        let document = document(Source::new("large.yaml", text)).expect("it is valid");
        assert_eq!(document.resources.len(), count);
    });
    assert!(peak < allowed, "{peak} bytes for a valid file");

    for unit in HOSTILE {
        let text = unit.repeat(2_000_000 / unit.len());
        let allowed = limit_for(&text);
        let peak = peak_of(|| {
            let _ = parse(Source::new("hostile.yaml", text));
        });
        assert!(peak < allowed, "{peak} bytes for {unit:?} over and over");
    }
}

const HOSTILE: [&str; 27] = [
    " ", "\n", "\r", "#", "# c\n", "a", "a ", "a: ", "a: b\n", "- ", "- a\n", "[", "]", "{",
    "[a],", "\"", "'", "'' ", "&a ", "*a ", "!a ", "? ", ": ", "%a\n", "---\n", "| \n", "- *a\n",
];

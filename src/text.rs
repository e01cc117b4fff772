//! Showing bytes safely: the one door through which foreign bytes reach a screen.

/// Foreign bytes as text that is visible, unambiguous and reversible.
pub fn escape(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

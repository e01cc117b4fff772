//! "Did you mean": the known words that a mistyped one is closest to.

/// The known words at most a third of their letters away from `word` or begun by it, closest first.
pub(super) fn close<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let word = word.to_lowercase();
    let is_start = |candidate: &str| word.chars().count() > 2 && candidate.starts_with(&word);
    let mut found: Vec<(usize, &str)> = known
        .into_iter()
        .filter_map(|candidate| {
            let lower = candidate.to_lowercase();
            let distance = distance(&word, &lower);
            let is_close = distance <= 1.max(candidate.chars().count() / 3);
            (is_close || is_start(&lower)).then_some((distance, candidate))
        })
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(_, candidate)| candidate).collect()
}

/// How many letters to insert, drop, replace or swap with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replace = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replace.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_word_comes_first() {
        let known = ["read_only", "url", "user", "timeout"];
        assert_eq!(close("readonly", known), ["read_only"]);
        assert_eq!(close("ulr", known), ["url"]);
        assert_eq!(close("usr", known), ["user"]);
        assert_eq!(close("Timeout", known), ["timeout"]);
        assert_eq!(close("time", known), ["timeout"]);
        assert_eq!(close("password", known), [] as [&str; 0]);
    }
}

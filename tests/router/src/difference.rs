//! What two texts have not in common.

/// What has changed from one text to another: lines that are gone with `-`, new ones with `+`; blank lines are no matter.
#[must_use]
pub fn difference(before: &str, after: &str) -> String {
    let lines = |text: &str| -> Vec<String> {
        text.lines().filter(|line| !line.is_empty()).map(|line| line.replace('\t', " ")).collect()
    };
    let (old, new) = (lines(before), lines(after));
    // Lengths of the longest common rests.
    let mut common = vec![vec![0; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = match old[i] == new[j] {
                true => common[i + 1][j + 1] + 1,
                false => common[i + 1][j].max(common[i][j + 1]),
            };
        }
    }
    let (mut i, mut j, mut text) = (0, 0, String::new());
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || i < old.len() && common[i + 1][j] >= common[i][j + 1] {
            text.push_str(&format!("-{}\n", old[i]));
            i += 1;
        } else {
            text.push_str(&format!("+{}\n", new[j]));
            j += 1;
        }
    }
    text
}

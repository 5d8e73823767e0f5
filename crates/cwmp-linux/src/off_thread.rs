//! Work that waits for the disk.

use cwmp_platform::PlatformError;

/// Work on files that waits for the disk goes to another thread.
///
/// # Errors
/// Those of the work, and [`PlatformError::Failed`] where it broke off.
pub async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PlatformError> + Send + 'static,
) -> Result<T, PlatformError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|e| Err(PlatformError::Failed(format!("work on files broke off: {e}"))))
}

package pace

// Locked reports whether somebody holds the lock.
func (d *Document[T]) Locked() bool {
	if !d.mu.TryLock() {
		return true
	}
	d.mu.Unlock()
	return false
}

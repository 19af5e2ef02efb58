// Package follow reads what is appended to the files of a selection, line by line, over rotation, for
// as long as it is wanted. It knows neither queries nor patterns.
//
// A Follower belongs to one that follows, and is used by one goroutine. Start takes the files as they
// are: where each one's last whole line ends is where following begins, so that History, which is what
// lies before, and the Pieces that come later have every line once. Look reads the names again: files
// that are new are followed from their start. Poll reads what was appended, and gives it as Pieces of
// whole lines; a line that has no end yet waits for it. Run does both as long as its context lasts,
// when a Watcher, which belongs to a node, says that there is something to read, and now and then
// anyhow.
//
// What rotation does to a file that is followed:
//
//   - renamed or deleted: it is open, and read on; what takes its name is another file, of which
//     nothing is given before all of the first one that was written earlier;
//   - copied and cut (logrotate's copytruncate): the copy is known by its first bytes, is not followed,
//     and gives what was not read when the original was cut. The original goes on from its start, and
//     a Piece says that it was cut: what was written between the copy and the cut is in neither. If
//     no round came between its last cut and this one, the copy is all that is seen of it: that is
//     followed under its own name, and no cut is told;
//   - compressed: the archive is not followed; what it was made of was read.
package follow

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
//   - copied and cut (logrotate's copytruncate): what came later than a file, and has a name that rotation
//     makes of the file's, is held for its copy for as long as the file has what it has. When the file has
//     not, it was cut: what was not read of it is taken from the copy, under the file's name, a Piece says
//     that it was cut, and it goes on from its start. What was written between the copy and the cut is in
//     neither. Each of several cuts between two rounds is told. Only where a file and its copy are found
//     by the same look is the copy a log of its own, since it may be the older log, renamed;
//   - compressed: the archive is not followed; what it was made of was read.
package follow

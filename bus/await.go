package bus

import "context"

// Await returns once the node can be asked: the bus is reached, has taken the subscriptions, and the
// node stands in the roster if there is one. It fails only with ctx.
func (s *Service) Await(ctx context.Context) error {
	up := make(chan struct{}, 1)
	signal := func() {
		select {
		case up <- struct{}{}:
		default:
		}
	}
	defer s.conn.listen(listener{connected: signal, reconnected: signal})()
	for ctx.Err() == nil {
		if s.conn.nc.IsConnected() {
			if s.conn.nc.FlushTimeout(connectTimeout) == nil {
				break
			}
			continue
		}
		select {
		case <-up:
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := s.registry.put(ctx); err != nil {
		s.conn.log.Debug("roster record not written", "err", err)
	}
	return nil
}

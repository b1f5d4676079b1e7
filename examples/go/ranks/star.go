package main

// The network: every rank has a connection to rank 0, which computes for all. That is simple, and enough for a few ranks; it is the place
// for a better one.

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"time"
)

// star has the connections of rank 0 to the others, by rank, or that of another to rank 0.
type star struct {
	rank, size int
	timeout    time.Duration
	links      []*link
	own        []byte
}

type link struct {
	net.Conn
	*bufio.Reader
	*bufio.Writer
	bytes []byte
}

func newLink(connection net.Conn) *link {
	return &link{Conn: connection, Reader: bufio.NewReaderSize(connection, 1<<16), Writer: bufio.NewWriterSize(connection, 1<<16)}
}

// connect waits until all ranks are there.
func connect(ctx context.Context, rank, size int, address string, timeout time.Duration) (*star, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	s := &star{rank: rank, size: size, timeout: timeout}
	if rank > 0 {
		return s, s.join(ctx, address)
	}
	s.links = make([]*link, size)
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	defer context.AfterFunc(ctx, func() { listener.Close() })()
	for range size - 1 {
		connection, err := listener.Accept()
		if err != nil {
			s.Close()
			return nil, fmt.Errorf("not all ranks came: %w", err)
		}
		var who uint32
		connection.SetDeadline(time.Now().Add(timeout))
		if err := binary.Read(connection, binary.LittleEndian, &who); err != nil || who == 0 || int(who) >= size || s.links[who] != nil {
			connection.Close()
			s.Close()
			return nil, fmt.Errorf("rank %d of %d came, or came again, from %v: %v", who, size, connection.RemoteAddr(), err)
		}
		s.links[who] = newLink(connection)
	}
	return s, nil
}

// join tries until rank 0 listens.
func (s *star) join(ctx context.Context, address string) error {
	for {
		connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err == nil {
			s.links = []*link{newLink(connection)}
			return binary.Write(connection, binary.LittleEndian, uint32(s.rank))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("rank 0 does not listen at %s: %w", address, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (s *star) Close() {
	for _, link := range s.links {
		if link != nil {
			link.Conn.Close()
		}
	}
}

// together sends own bytes to rank 0, which takes all, its own first, and makes of them what every rank gets back in result. The two may be the same.
func (s *star) together(own, result []byte, take func(rank int, theirs []byte)) error {
	end := time.Now().Add(s.timeout)
	for _, link := range s.links {
		if link != nil {
			link.SetDeadline(end)
		}
	}
	if s.rank > 0 {
		link := s.links[0]
		if err := link.send(own); err != nil {
			return err
		}
		return link.receive(result)
	}
	take(0, own)
	for rank, link := range s.links {
		if link == nil {
			continue
		}
		link.bytes = slices.Grow(link.bytes[:0], len(own))
		theirs := link.bytes[:len(own)]
		if err := link.receive(theirs); err != nil {
			return fmt.Errorf("rank %d: %w", rank, err)
		}
		take(rank, theirs)
	}
	for rank, link := range s.links {
		if link == nil {
			continue
		}
		if err := link.send(result); err != nil {
			return fmt.Errorf("rank %d: %w", rank, err)
		}
	}
	return nil
}

func (l *link) send(bytes []byte) error {
	if err := binary.Write(l.Writer, binary.LittleEndian, uint64(len(bytes))); err != nil {
		return err
	}
	if _, err := l.Writer.Write(bytes); err != nil {
		return err
	}
	return l.Flush()
}

func (l *link) receive(bytes []byte) error {
	var count uint64
	if err := binary.Read(l.Reader, binary.LittleEndian, &count); err != nil {
		return err
	}
	if count != uint64(len(bytes)) {
		return fmt.Errorf("%d bytes came, and %d were to come: the ranks are not at the same call", count, len(bytes))
	}
	_, err := io.ReadFull(l.Reader, bytes)
	return err
}

// reduce makes numbers of all ranks one, in place.
func reduce[Number any](s *star, numbers []Number, with func(mine, theirs Number) Number) error {
	theirs := make([]Number, len(numbers))
	s.own, _ = binary.Append(s.own[:0], binary.LittleEndian, numbers)
	err := s.together(s.own, s.own, func(rank int, bytes []byte) {
		if rank == 0 {
			return
		}
		binary.Decode(bytes, binary.LittleEndian, theirs)
		for i, number := range theirs {
			numbers[i] = with(numbers[i], number)
		}
		if rank == s.size-1 {
			s.own, _ = binary.Append(s.own[:0], binary.LittleEndian, numbers)
		}
	})
	if err == nil {
		_, err = binary.Decode(s.own, binary.LittleEndian, numbers)
	}
	return err
}

func (s *star) Sum(numbers []int64) error {
	return reduce(s, numbers, func(mine, theirs int64) int64 { return mine + theirs })
}

func (s *star) Max(numbers []float64) error {
	return reduce(s, numbers, func(mine, theirs float64) float64 { return max(mine, theirs) })
}

func (s *star) Broadcast(bytes []byte) error {
	if s.rank > 0 {
		return s.together(nil, bytes, nil)
	}
	return s.together(nil, bytes, func(int, []byte) {})
}

func (s *star) Gather(own, all []byte) error {
	return s.together(own, all, func(rank int, theirs []byte) { copy(all[rank*len(own):], theirs) })
}

func (s *star) Barrier() error {
	return s.together(nil, nil, func(int, []byte) {})
}

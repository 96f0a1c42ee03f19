package pipeline

import (
	"context"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// kafka-go's own heartbeat goes to any broker, and takes the error code of the answer for
// a throttle time: it says yes to everybody. So these two take its place in the process'
// table of messages. The group's membership goes another way, through kafka-go's Conn.
func init() { protocol.Register(&heartbeatRequest{}, &heartbeatResponse{}) }

// A heartbeatRequest is Kafka's Heartbeat, versions 0 to 3.
type heartbeatRequest struct {
	GroupID         string `kafka:"min=v0,max=v3"`
	GenerationID    int32  `kafka:"min=v0,max=v3"`
	MemberID        string `kafka:"min=v0,max=v3"`
	GroupInstanceID string `kafka:"min=v3,max=v3,nullable"`
}

type heartbeatResponse struct {
	ThrottleTimeMs int32 `kafka:"min=v1,max=v3"`
	ErrorCode      int16 `kafka:"min=v0,max=v3"`
}

// ApiKey implements [protocol.Message].
func (*heartbeatRequest) ApiKey() protocol.ApiKey { return protocol.Heartbeat }

// ApiKey implements [protocol.Message].
func (*heartbeatResponse) ApiKey() protocol.ApiKey { return protocol.Heartbeat }

// Group implements [protocol.GroupMessage]: the request is for the group's coordinator.
func (r *heartbeatRequest) Group() string { return r.GroupID }

// heartbeat asks the group's coordinator whether it knows a member of a generation.
func heartbeat(ctx context.Context, client *kafka.Client, r *heartbeatRequest) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	res, err := roundTripper(client).RoundTrip(ctx, client.Addr, r)
	if err != nil {
		return err
	}
	if code := res.(*heartbeatResponse).ErrorCode; code != 0 {
		return kafka.Error(code)
	}
	return nil
}

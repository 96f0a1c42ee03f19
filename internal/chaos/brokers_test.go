package chaos

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestBrokerKilled(t *testing.T) {
	r := startRedis(t)
	s := start(t, "Kafka: a broker killed (kill -9), and back", r.url(), r.url())
	s.operator(t)
	s.operator(t)
	s.inject(t, func(round int) {
		id := round%len(s.kafka.fronts) + 1
		s.kafka.kill(t, id)
		time.Sleep(2 * time.Second)
		s.kafka.resume(t, id)
	})
	s.finish(t)
}

func TestLeadersMoved(t *testing.T) {
	r := startRedis(t)
	s := start(t, "Kafka: leaders of all partitions moved", r.url(), r.url())
	s.operator(t)
	s.operator(t)
	s.inject(t, func(int) {
		pause(300 * time.Millisecond)
		until(t, time.Minute, "move leaders", func() error {
			return s.kafka.moveLeaders(t.Context(), s.name, s.name+".scores")
		})
	})
	s.finish(t)
}

// moveLeaders makes the next copy of each partition its leader.
func (b *brokers) moveLeaders(ctx context.Context, topics ...string) error {
	ask := kmsg.NewPtrMetadataRequest()
	for _, topic := range topics {
		rt := kmsg.NewMetadataRequestTopic()
		rt.Topic = new(topic)
		ask.Topics = append(ask.Topics, rt)
	}
	meta, err := ask.RequestWith(ctx, b.admin)
	if err != nil {
		return err
	}
	order, elect := kmsg.NewPtrAlterPartitionAssignmentsRequest(), kmsg.NewPtrElectLeadersRequest()
	for _, topic := range meta.Topics {
		if err := kerr.ErrorForCode(topic.ErrorCode); err != nil {
			return err
		}
		ot, et := kmsg.NewAlterPartitionAssignmentsRequestTopic(), kmsg.NewElectLeadersRequestTopic()
		ot.Topic, et.Topic = *topic.Topic, *topic.Topic
		for _, p := range topic.Partitions {
			op := kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
			at := slices.Index(p.Replicas, p.Leader)
			op.Partition, op.Replicas = p.Partition, slices.Concat(p.Replicas[at+1:], p.Replicas[:at+1])
			ot.Partitions = append(ot.Partitions, op)
			et.Partitions = append(et.Partitions, p.Partition)
		}
		order.Topics, elect.Topics = append(order.Topics, ot), append(elect.Topics, et)
	}
	return errors.Join(b.order(ctx, order), b.elect(ctx, elect))
}

func (b *brokers) order(ctx context.Context, req *kmsg.AlterPartitionAssignmentsRequest) error {
	res, err := req.RequestWith(ctx, b.admin)
	if err != nil {
		return err
	}
	errs := []error{kerr.ErrorForCode(res.ErrorCode)}
	for _, topic := range res.Topics {
		for _, p := range topic.Partitions {
			errs = append(errs, kerr.ErrorForCode(p.ErrorCode))
		}
	}
	return errors.Join(errs...)
}

func (b *brokers) elect(ctx context.Context, req *kmsg.ElectLeadersRequest) error {
	res, err := req.RequestWith(ctx, b.admin)
	if err != nil {
		return err
	}
	errs := []error{kerr.ErrorForCode(res.ErrorCode)}
	for _, topic := range res.Topics {
		for _, p := range topic.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); !errors.Is(err, kerr.ElectionNotNeeded) {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// forget deletes a consumer group.
func (b *brokers) forget(ctx context.Context, group string) error {
	req := kmsg.NewPtrDeleteGroupsRequest()
	req.Groups = append(req.Groups, group)
	res, err := req.RequestWith(ctx, b.admin)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(res.Groups[0].ErrorCode)
}

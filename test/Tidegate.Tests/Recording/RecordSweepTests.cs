using System.Net;
using Microsoft.Extensions.Time.Testing;
using Tidegate.Exchanges;
using Tidegate.Recording;
using Xunit;

namespace Tidegate.Tests.Recording;

public sealed class RecordSweepTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly RecordBlocks _blocks = new(16);
    private readonly RecordLane[] _lanes;
    private readonly RecordMaker _maker;
    private readonly RecordSweep _sweep;

    public RecordSweepTests()
    {
        _lanes = [new RecordLane(_blocks), new RecordLane(_blocks)];
        _maker = new RecordMaker(_time, keepQueryValues: true);
        _sweep = new RecordSweep(_lanes, _blocks);
    }

    [Fact]
    public void What_ends_while_lanes_are_looked_at_does_not_come_before_what_ended_earlier()
    {
        End(lane: 0, id: 1);
        var began = _maker.Now;
        var second = Ended(2);
        End(lane: 1, id: 3);
        _sweep.Take(began);
        Assert.Equal([1UL], Taken());
        Assert.True(_sweep.HasMore);

        // It found its lane looked at already.
        _lanes[0].Add(_maker, second);
        _sweep.Take(_maker.Now);
        Assert.Equal([2UL, 3UL], Taken());
        Assert.False(_sweep.HasMore);
    }

    [Fact]
    public void What_was_left_comes_the_next_time_also_when_the_clock_was_set_back()
    {
        var began = _maker.Now;
        End(lane: 1, id: 1);
        _sweep.Take(began);
        Assert.Empty(Taken());
        _sweep.Take(began - TimeSpan.FromHours(1));
        Assert.Equal([1UL], Taken());
        Assert.False(_sweep.HasMore);
    }

    [Fact]
    public void More_than_a_block_holds_goes_as_it_is()
    {
        var began = _maker.Now;
        for (ulong id = 0; id < 100; id++)
        {
            End(lane: 0, id);
            End(lane: 1, 100 + id);
        }

        _sweep.Take(began);
        Assert.Equal(200, Taken().Count);
        Assert.False(_sweep.HasMore);
    }

    [Fact]
    public void Where_no_block_is_free_nothing_is_left()
    {
        var blocks = new RecordBlocks(1);
        var lane = new RecordLane(blocks);
        var sweep = new RecordSweep([lane], blocks);
        var began = _maker.Now;
        lane.Add(_maker, Ended(1));
        sweep.Take(began);
        Assert.False(sweep.HasMore);
        Assert.Equal(1UL, blocks.Dequeue()!.Records[0].Id);
    }

    private void End(int lane, ulong id) => _lanes[lane].Add(_maker, Ended(id));

    /// <summary>One that ends after all others.</summary>
    private Exchange Ended(ulong id)
    {
        _time.Advance(TimeSpan.FromMilliseconds(1));
        var exchange = new Exchange { Connection = new ClientConnection { PeerAddress = IPAddress.Loopback }, Client = null!, Id = id, Method = "GET", Target = new ExchangeTarget("http", "api.example.com", 80, "/", null) };
        exchange.Answer(Outcome.Forwarded, 200);
        exchange.Timings.Received = exchange.Timings.Ended = _time.GetTimestamp();
        return exchange;
    }

    private List<ulong> Taken()
    {
        var ids = new List<ulong>();
        while (_blocks.Dequeue() is { } block)
        {
            ids.AddRange(block.Records.ToArray().Select(record => record.Id));
            _blocks.Return(block);
        }

        return ids;
    }
}

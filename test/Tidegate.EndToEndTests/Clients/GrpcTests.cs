using Grpc.Core;
using Tidegate.EndToEndTests.Clients.Talking;
using Tidegate.Exchanges;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.EndToEndTests.Clients;

/// <summary>Every kind of gRPC call, and every way that one can end.</summary>
public sealed class GrpcTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static TheoryData<string> Ways => [GrpcWorld.CleartextIngress, GrpcWorld.TlsIngress, GrpcWorld.Intercepted];

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_unary_call_gets_its_answer_and_trailers(string way)
    {
        await using var world = await GrpcWorld.StartAsync(way);
        using var call = world.Client.SayAsync(new Words { Text = "hello" }, cancellationToken: Cancellation);

        Assert.Equal("hello to provider", (await call).Text);

        Assert.Equal((StatusCode.OK, "true"), (call.GetStatus().StatusCode, call.GetTrailers().GetValue("x-said")));
        Assert.Equal([("/tidegate.test.Talk/Say", "HTTP/2", "")], world.Log.Calls);
        var record = await world.RecordAsync("Say");
        Assert.Equal((Outcome.Forwarded, 200), (record.Outcome, record.Status));
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task Each_message_of_a_server_stream_arrives_before_the_next_is_sent(string way)
    {
        await using var world = await GrpcWorld.StartAsync(way);
        using var call = world.Client.Count(new Number { Value = 3 }, cancellationToken: Cancellation);

        for (var i = 1; i <= 3; i++)
        {
            world.Log.Next.Release();
            Assert.True(await call.ResponseStream.MoveNext(Cancellation).WaitAsync(Patience, Cancellation));
            Assert.Equal(i, call.ResponseStream.Current.Value);
        }

        Assert.False(await call.ResponseStream.MoveNext(Cancellation));
        Assert.Equal(Outcome.Forwarded, (await world.RecordAsync("Count")).Outcome);
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_client_stream_arrives_whole(string way)
    {
        await using var world = await GrpcWorld.StartAsync(way);
        using var call = world.Client.Sum(cancellationToken: Cancellation);

        for (var i = 1; i <= 1_000; i++)
        {
            await call.RequestStream.WriteAsync(new Number { Value = i }, Cancellation);
        }

        await call.RequestStream.CompleteAsync();
        Assert.Equal(500_500, (await call).Value);
        Assert.Equal(Outcome.Forwarded, (await world.RecordAsync("Sum")).Outcome);
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task Both_sides_talk_in_turns(string way)
    {
        await using var world = await GrpcWorld.StartAsync(way);
        using var call = world.Client.Echo(cancellationToken: Cancellation);

        foreach (var text in (string[])["one", new string('x', 200_000), "three"])
        {
            await call.RequestStream.WriteAsync(new Words { Text = text }, Cancellation);
            Assert.True(await call.ResponseStream.MoveNext(Cancellation).WaitAsync(Patience, Cancellation));
            Assert.Equal(text, call.ResponseStream.Current.Text);
        }

        await call.RequestStream.CompleteAsync();
        Assert.False(await call.ResponseStream.MoveNext(Cancellation).WaitAsync(Patience, Cancellation));
        var record = await world.RecordAsync("Echo");
        Assert.True(record is { Outcome: Outcome.Forwarded, RequestBytes: > 200_000, ResponseBytes: > 200_000 }, record.ToString());
    }

    [Theory]
    [InlineData(GrpcWorld.CleartextIngress, "")]
    [InlineData(GrpcWorld.CleartextIngress, "first")]
    [InlineData(GrpcWorld.TlsIngress, "")]
    [InlineData(GrpcWorld.TlsIngress, "first")]
    [InlineData(GrpcWorld.Intercepted, "")]
    [InlineData(GrpcWorld.Intercepted, "first")]
    public async Task An_error_arrives_with_its_status_and_trailers(string way, string first)
    {
        await using var world = await GrpcWorld.StartAsync(way);
        using var call = world.Client.Fail(new Words { Text = first }, cancellationToken: Cancellation);

        var failure = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            while (await call.ResponseStream.MoveNext(Cancellation))
            {
                Assert.Equal(first, call.ResponseStream.Current.Text);
            }
        });

        Assert.Equal((StatusCode.FailedPrecondition, "not in this state: ü"), (failure.StatusCode, failure.Status.Detail));
        Assert.Equal("closed", failure.Trailers.GetValue("x-reason"));
        Assert.Equal([0, 1, 255], failure.Trailers.GetValueBytes("x-detail-bin")!);

        // To HTTP it is an answer like any other.
        var record = await world.RecordAsync("Fail");
        Assert.Equal((Outcome.Forwarded, 200), (record.Outcome, record.Status));
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_deadline_ends_the_call_on_both_sides(string way)
    {
        await using var world = await GrpcWorld.StartAsync(way);

        // The deadline must not pass while connections are opened.
        await world.Client.SayAsync(new Words(), cancellationToken: Cancellation);
        var before = world.Log.Calls.Count;
        for (var seconds = 2; world.Log.Calls.Count == before; seconds *= 2)
        {
            // One that passed on the way to the server says nothing of the server: the next has more time.
            Assert.True(seconds < 60, "No call came to the server within its deadline.");
            var failure = await Assert.ThrowsAsync<RpcException>(() => world.Client.WaitAsync(new Words(), deadline: DateTime.UtcNow.AddSeconds(seconds), cancellationToken: Cancellation).ResponseAsync);
            Assert.Equal(StatusCode.DeadlineExceeded, failure.StatusCode);
        }

        Assert.True(await world.Log.Cancelled.WaitAsync(Patience, Cancellation), "The server went on waiting.");
        await world.RecordedAsync("Wait");
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_cancelled_call_is_cancelled_at_the_server(string way)
    {
        await using var world = await GrpcWorld.StartAsync(way);
        using var cancelled = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var call = world.Client.WaitAsync(new Words(), cancellationToken: cancelled.Token).ResponseAsync;
        await Eventually.HoldsAsync(() => world.Log.Calls.Count > 0, "The call did not come.", Cancellation);

        await cancelled.CancelAsync();

        Assert.Equal(StatusCode.Cancelled, (await Assert.ThrowsAsync<RpcException>(() => call)).StatusCode);
        Assert.True(await world.Log.Cancelled.WaitAsync(Patience, Cancellation), "The server went on waiting.");
        Assert.Equal("client_aborted", (await world.RecordAsync("Wait")).Code);
    }

    [Fact]
    public async Task A_refused_call_has_the_status_that_its_refusal_stands_for()
    {
        await using var world = await GrpcWorld.StartAsync(GrpcWorld.CleartextIngress, key: "another-key-789");

        var failure = await Assert.ThrowsAsync<RpcException>(() => world.Client.SayAsync(new Words(), cancellationToken: Cancellation).ResponseAsync);

        Assert.Equal(StatusCode.Unauthenticated, failure.StatusCode);
        Assert.Empty(world.Log.Calls);
    }
}

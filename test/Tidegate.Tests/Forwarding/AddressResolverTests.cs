using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Time.Testing;
using Tidegate.Forwarding.Connecting;
using Xunit;

namespace Tidegate.Tests.Forwarding;

public sealed class AddressResolverTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly AddressResolver _resolver;
    private Func<string, Task<IPAddress[]>> _answer = _ => Task.FromResult<IPAddress[]>([IPAddress.Loopback]);
    private int _lookUps;

    public AddressResolverTests() => _resolver = new AddressResolver(
        (host, _) =>
        {
            _lookUps++;
            return _answer(host);
        },
        _time);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("192.0.2.1")]
    [InlineData("2001:db8::1")]
    public async Task An_address_needs_no_look_up(string literal)
    {
        Assert.Equal([IPAddress.Parse(literal)], await _resolver.ResolveAsync(literal, Cancellation));
        Assert.Equal(0, _lookUps);
    }

    [Fact]
    public async Task An_answer_serves_for_ten_seconds()
    {
        await _resolver.ResolveAsync("a.test", Cancellation);
        _time.Advance(TimeSpan.FromSeconds(9.9));
        await _resolver.ResolveAsync("a.test", Cancellation);
        Assert.Equal(1, _lookUps);

        _time.Advance(TimeSpan.FromSeconds(0.1));
        await _resolver.ResolveAsync("a.test", Cancellation);
        Assert.Equal(2, _lookUps);
    }

    [Fact]
    public async Task A_failure_is_forgotten_after_a_second()
    {
        _answer = _ => Task.FromException<IPAddress[]>(new SocketException((int)SocketError.HostNotFound));
        for (var i = 0; i < 2; i++)
        {
            var failed = await Assert.ThrowsAsync<ConnectException>(() => _resolver.ResolveAsync("a.test", Cancellation).AsTask());
            Assert.Equal("dns_failed", failed.Kind.Code);
        }

        Assert.Equal(1, _lookUps);
        _answer = _ => Task.FromResult<IPAddress[]>([IPAddress.Loopback]);
        _time.Advance(TimeSpan.FromSeconds(1));

        Assert.Equal([IPAddress.Loopback], await _resolver.ResolveAsync("a.test", Cancellation));
    }

    [Fact]
    public async Task A_name_without_addresses_is_a_failure()
    {
        _answer = _ => Task.FromResult<IPAddress[]>([]);

        await Assert.ThrowsAsync<ConnectException>(() => _resolver.ResolveAsync("a.test", Cancellation).AsTask());
    }

    [Fact]
    public async Task Callers_at_the_same_time_share_a_look_up_and_one_that_leaves_leaves_it_to_the_others()
    {
        var pending = new TaskCompletionSource<IPAddress[]>();
        _answer = _ => pending.Task;
        using var leaving = new CancellationTokenSource();
        var first = _resolver.ResolveAsync("a.test", leaving.Token).AsTask();
        var second = _resolver.ResolveAsync("a.test", Cancellation).AsTask();

        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        pending.SetResult([IPAddress.Loopback]);

        Assert.Equal([IPAddress.Loopback], await second);
        Assert.Equal(1, _lookUps);
    }

    [Fact]
    public async Task No_more_than_a_thousand_names_are_kept_and_old_ones_go()
    {
        for (var i = 0; i < 1_100; i++)
        {
            await _resolver.ResolveAsync($"{i}.test", Cancellation);
        }

        Assert.Equal(1_000, _resolver.Count);
        _time.Advance(TimeSpan.FromSeconds(10));
        _resolver.Sweep();
        Assert.Equal(0, _resolver.Count);
    }
}

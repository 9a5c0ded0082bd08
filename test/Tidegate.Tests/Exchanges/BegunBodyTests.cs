using System.Net;
using System.Text;
using Tidegate.Exchanges;
using Tidegate.Policies.Hedge;
using Xunit;

namespace Tidegate.Tests.Exchanges;

public sealed class BegunBodyTests
{
    private static readonly Failure Cut = new(FailureSource.Upstream, FailureKind.ResponseTruncated, Retryable: false, "cut");

    [Fact]
    public async Task What_was_read_comes_first_and_is_there_and_then_the_rest()
    {
        var body = new BegunBody("be"u8.ToArray(), new BegunBody("gun"u8.ToArray(), rest: null));

        Assert.True(body.HasBytes);
        Assert.Equal("begun", await ReadAsync(body));
        Assert.False(body.HasBytes);
    }

    [Fact]
    public async Task A_break_comes_after_what_came_before_it()
    {
        var body = new BegunBody("half"u8.ToArray(), MessageBody.Empty, broken: new MessageBodyException(Cut));

        Assert.Equal(4, await body.ReadAsync(new byte[9], TestContext.Current.CancellationToken));
        Assert.Equal(Cut, (await Assert.ThrowsAsync<MessageBodyException>(() => body.ReadAsync(new byte[9], TestContext.Current.CancellationToken).AsTask())).Failure);
    }

    [Fact]
    public void The_answer_that_was_taken_of_several_leaves_as_soon_as_its_own_would()
    {
        var exchange = new Exchange { Connection = new ClientConnection { PeerAddress = IPAddress.Loopback }, Client = AbsentClient.Instance };
        var attempt = HedgeAttempt.Rent(exchange, before: null);
        attempt.Exchange.ResponseBody = new BegunBody("there"u8.ToArray(), rest: null);

        Assert.True(attempt.TakeContent().HasBytes);
    }

    private static async Task<string> ReadAsync(MessageBody body)
    {
        var text = new StringBuilder();
        var buffer = new byte[3];
        while (await body.ReadAsync(buffer, TestContext.Current.CancellationToken) is > 0 and var read)
        {
            text.Append(Encoding.ASCII.GetString(buffer, 0, read));
        }

        return text.ToString();
    }
}

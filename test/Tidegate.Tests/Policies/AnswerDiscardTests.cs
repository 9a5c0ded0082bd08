using Tidegate.Exchanges;
using Tidegate.Policies;
using Tidegate.Tests.Exchanges;
using Xunit;

namespace Tidegate.Tests.Policies;

public sealed class AnswerDiscardTests
{
    [Fact]
    public async Task An_answer_whose_content_breaks_keeps_its_fields_for_what_waits_for_its_end()
    {
        var exchange = TestExchange.Of(Direction.Egress);
        var body = new BreakingBody();
        exchange.ResponseHeaders.Add("Cost", "7");
        exchange.ResponseBody = body;
        exchange.Answer(Outcome.Forwarded, 429);
        await AnswerDiscard.DiscardAsync(exchange);

        Assert.Equal(["Cost: 7"], TestExchange.Lines(exchange.ResponseHeaders));
        Assert.True(body.IsDisposed);
    }

    private sealed class BreakingBody : MessageBody
    {
        public bool IsDisposed { get; private set; }

        public override long? Length => null;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken) =>
            throw new MessageBodyException(new Failure(FailureSource.Upstream, FailureKind.ResponseTruncated, Retryable: false, "broken"));

        public override ValueTask DisposeAsync()
        {
            IsDisposed = true;
            return default;
        }
    }
}

using Tidegate.Exchanges;

namespace Tidegate.Policies;

/// <summary>Throws an answer's content away whose head is all that was wanted.</summary>
internal static class AnswerDiscard
{
    // A refusal's content is small: read, so that its connection can be used for the next attempt; what is larger or slower costs the connection.
    private const int MaxDiscardBytes = 16 * 1024;
    private static readonly TimeSpan DiscardPatience = TimeSpan.FromMilliseconds(200);

    /// <summary>The answer's content is read to its end if that is near, and disposed.</summary>
    public static async ValueTask DiscardAsync(Exchange exchange)
    {
        var body = exchange.ResponseBody;
        if (!body.IsEmpty && exchange.Failure is null && body.Length is null or <= MaxDiscardBytes)
        {
            using var patience = new CancellationTokenSource(DiscardPatience);
            var buffer = new byte[MaxDiscardBytes];
            try
            {
                for (var read = 0; read < MaxDiscardBytes;)
                {
                    var piece = await body.ReadAsync(buffer, patience.Token);
                    if (piece == 0)
                    {
                        break;
                    }

                    read += piece;
                }
            }
            catch (Exception broken) when (broken is IOException or OperationCanceledException)
            {
                // It was to be thrown away; the connection goes with it. Its fields stay: what waits for its end may still read them.
            }
        }

        await body.DisposeAsync();
    }
}

using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Tidegate.Transport;

namespace Tidegate.Edge.Multiplexed;

/// <summary>Tells HTTP/2 with prior knowledge from HTTP/1.1 on a cleartext connection (RFC 9113 3.4).</summary>
internal static class Http2Preface
{
    // No HTTP/1.1 method begins with these bytes: PRI is reserved for this purpose (RFC 9113 11.6).
    private static ReadOnlySpan<byte> Start => "PRI * HTTP/2.0"u8;

    /// <summary>Looks at the first bytes and leaves them where they are.</summary>
    /// <returns>Null when there is nothing to serve: the client sent nothing in time or went away, or the gateway drains.</returns>
    public static async ValueTask<bool?> IsNextAsync(ConnectionContext connection, EdgeLimits limits, DrainSignal drain, Deadlines deadlines)
    {
        var input = connection.Transport.Input;
        using var deadline = new ReadDeadline(input, deadlines);
        deadline.Begin(limits.IdleTimeout);
        using var draining = drain.Token.UnsafeRegister(static input => ((PipeReader)input!).CancelPendingRead(), input);
        var begun = false;
        while (true)
        {
            try
            {
                var result = await input.ReadAsync();
                if (result.IsCanceled && deadline.IsExpired)
                {
                    input.AdvanceTo(result.Buffer.Start);
                    if (begun)
                    {
                        // A part of the preface is the part of a method too: HTTP/1.1 answers for it, when its first read does not wait for more.
                        input.CancelPendingRead();
                    }

                    return begun ? false : null;
                }

                if (result.Buffer.IsEmpty && (result.IsCompleted || drain.ClosesIdle))
                {
                    input.AdvanceTo(result.Buffer.Start);
                    return null;
                }

                var length = (int)Math.Min(result.Buffer.Length, Start.Length);
                var isPrefix = Fits(result.Buffer.Slice(0, length));
                var isCertain = !isPrefix || length == Start.Length || result.IsCompleted;
                input.AdvanceTo(result.Buffer.Start, isCertain ? result.Buffer.Start : result.Buffer.End);
                if (isCertain)
                {
                    return deadline.End() ? isPrefix && length == Start.Length : null;
                }

                if (!begun && length > 0)
                {
                    begun = true;
                    deadline.Begin(limits.HeaderTimeout);
                }
            }
            catch (Exception gone) when (gone is OperationCanceledException or IOException or ConnectionAbortedException)
            {
                return null;
            }
        }
    }

    private static bool Fits(System.Buffers.ReadOnlySequence<byte> bytes)
    {
        var matched = 0;
        foreach (var segment in bytes)
        {
            if (!Start[matched..].StartsWith(segment.Span))
            {
                return false;
            }

            matched += segment.Length;
        }

        return true;
    }
}

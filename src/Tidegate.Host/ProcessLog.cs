using System.Threading.Channels;

namespace Tidegate.Host;

/// <summary>
/// The gateway's own log: lines, written in order by one loop. Whoever logs never waits, so that a full pipe behind standard error stops no traffic, and never fails,
/// because a full disk must not end what has something to say of it. Bounded; lines that were lost are counted in the next one that is not.
/// </summary>
internal sealed class ProcessLog : IAsyncDisposable
{
    // A start with hundreds of problems, or an hour of trouble at one line in a few seconds.
    private const int Capacity = 1_000;

    // A process that ends does not wait for whoever does not read.
    private static readonly TimeSpan FlushLimit = TimeSpan.FromSeconds(2);

    private readonly Channel<string> _lines;
    private readonly Task _loop;
    private long _lost;

    public ProcessLog(TextWriter output)
    {
        _lines = Channel.CreateBounded<string>(new BoundedChannelOptions(Capacity) { SingleReader = true, FullMode = BoundedChannelFullMode.Wait });
        _loop = LoopAsync(output);
    }

    /// <summary>Lines that found no room, or could not be written.</summary>
    public long Lost => Interlocked.Read(ref _lost);

    /// <summary>Adds a line. Never waits and never throws.</summary>
    public void WriteLine(string line)
    {
        if (!_lines.Writer.TryWrite(line))
        {
            Interlocked.Increment(ref _lost);
        }
    }

    /// <summary>Writes what is left, for a limited time.</summary>
    public async ValueTask DisposeAsync()
    {
        _lines.Writer.TryComplete();
        await Task.WhenAny(_loop, Task.Delay(FlushLimit));
    }

    private async Task LoopAsync(TextWriter output)
    {
        // Not on the thread of whoever starts it: writing may block.
        await Task.Yield();
        var told = 0L;
        await foreach (var line in _lines.Reader.ReadAllAsync())
        {
            try
            {
                if (Lost is var lost && lost > told)
                {
                    await output.WriteLineAsync($"{lost - told} lines of this log were lost: it could not be written.");
                    told = lost;
                }

                await output.WriteLineAsync(line);
            }
            catch (Exception unwritable) when (unwritable is IOException or ObjectDisposedException or UnauthorizedAccessException)
            {
                // There is no other place to say so; the next line that can be written does.
                Interlocked.Increment(ref _lost);
            }
        }
    }
}

using Tidegate.Host;
using Xunit;

namespace Tidegate.EndToEndTests;

public sealed class ProcessLogTests
{
    [Fact]
    public async Task Lines_come_in_order_and_all_of_them_before_the_process_ends()
    {
        using var output = new StringWriter();
        var log = new ProcessLog(output);
        for (var i = 0; i < 500; i++)
        {
            log.WriteLine($"line {i}");
        }

        await log.DisposeAsync();
        Assert.Equal(Enumerable.Range(0, 500).Select(i => $"line {i}"), output.ToString().Split(Environment.NewLine, StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public async Task A_full_disk_loses_lines_says_how_many_and_throws_at_nobody()
    {
        using var output = new FillingWriter { IsFull = true };
        await using var log = new ProcessLog(output);
        log.WriteLine("lost");
        log.WriteLine("lost too");
        await UntilAsync(() => log.Lost == 2);
        output.IsFull = false;
        log.WriteLine("kept");
        await UntilAsync(() => output.Lines.Count == 2);

        Assert.Equal(["2 lines of this log were lost: it could not be written.", "kept"], output.Lines);
    }

    [Fact]
    public async Task Whoever_does_not_read_keeps_nobody_waiting()
    {
        using var reads = new ManualResetEventSlim();
        using var output = new FillingWriter { Waits = reads };
        await using (var log = new ProcessLog(output))
        {
            for (var i = 0; i < 5_000; i++)
            {
                log.WriteLine("line");
            }

            Assert.InRange(log.Lost, 3_900, 4_000);
            reads.Set();
        }

        Assert.InRange(output.Lines.Count, 1_000, 1_102);
    }

    private static async Task UntilAsync(Func<bool> isDone)
    {
        for (var tries = 0; !isDone() && tries < 6_000; tries++)
        {
            await Task.Delay(10, TestContext.Current.CancellationToken);
        }

        Assert.True(isDone());
    }

    private sealed class FillingWriter : StringWriter
    {
        private readonly List<string> _lines = [];

        public bool IsFull { get; set; }

        public ManualResetEventSlim? Waits { get; init; }

        public IReadOnlyList<string> Lines
        {
            get
            {
                lock (_lines)
                {
                    return [.. _lines];
                }
            }
        }

        public override Task WriteLineAsync(string? value)
        {
            Waits?.Wait(TimeSpan.FromSeconds(60));
            if (IsFull)
            {
                throw new IOException("No space left on device");
            }

            lock (_lines)
            {
                _lines.Add(value!);
            }

            return Task.CompletedTask;
        }
    }
}

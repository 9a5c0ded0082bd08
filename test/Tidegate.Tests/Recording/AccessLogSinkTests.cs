using Tidegate.Recording.AccessLog;
using Tidegate.Testing;
using Xunit;

namespace Tidegate.Tests.Recording;

public sealed class AccessLogSinkTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tidegate-test-");

    private string File => Path.Combine(_directory.FullName, "access.log");

    [Theory]
    [InlineData(null, 2)]
    [InlineData("", 2)]
    [InlineData("{\"whole\":1}\n", 3)]
    [InlineData("{\"cut\":", 3)]
    public async Task Records_begin_lines_of_their_own_after_whatever_is_there(string? before, int lines)
    {
        if (before is not null)
        {
            await System.IO.File.WriteAllTextAsync(File, before, TestContext.Current.CancellationToken);
        }

        await using var file = AccessLogSink.Open(File);
        var sink = new AccessLogSink(file);
        await WriteAsync(sink);
        await WriteAsync(sink);

        var written = await System.IO.File.ReadAllLinesAsync(File, TestContext.Current.CancellationToken);
        Assert.Equal(lines, written.Length);
        Assert.All(written[^2..], line => Assert.True(line.StartsWith('{') && line.EndsWith('}'), line));
    }

    [Fact]
    public async Task A_file_that_was_emptied_by_a_rotation_begins_anew()
    {
        await using var file = AccessLogSink.Open(File);
        var sink = new AccessLogSink(file);
        await WriteAsync(sink);
        await using (var rotation = new FileStream(File, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            rotation.SetLength(0);
        }

        await WriteAsync(sink);

        var text = await System.IO.File.ReadAllTextAsync(File, TestContext.Current.CancellationToken);
        Assert.True(text.StartsWith('{') && text.EndsWith("}\n", StringComparison.Ordinal), text);
    }

    [Fact]
    public async Task A_write_that_failed_in_the_middle_of_a_line_leaves_the_next_batch_whole()
    {
        using var disk = new FillingDisk { Room = 20 };
        var sink = new AccessLogSink(disk);

        await Assert.ThrowsAsync<IOException>(() => WriteAsync(sink));
        disk.Room = int.MaxValue;
        await WriteAsync(sink);

        var lines = System.Text.Encoding.UTF8.GetString(disk.ToArray()).Split('\n');
        Assert.Equal(3, lines.Length);
        Assert.Equal(20, lines[0].Length);
        Assert.EndsWith("}", lines[1], StringComparison.Ordinal);
        Assert.Equal("", lines[2]);
    }

    public void Dispose() => _directory.Delete(recursive: true);

    private static Task WriteAsync(AccessLogSink sink) => sink.TakeAsync([TestRecords.Ingress], TestContext.Current.CancellationToken);

    /// <summary>Takes so many bytes more, then says that it is full.</summary>
    private sealed class FillingDisk : MemoryStream
    {
        public int Room { get; set; }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            var fits = Math.Min(Room, buffer.Length);
            base.Write(buffer[..fits]);
            Room -= fits;
            if (fits < buffer.Length)
            {
                throw new IOException("No space left on device");
            }
        }
    }
}

using Tidegate.Policies.Retry;
using Xunit;

namespace Tidegate.Tests.Policies.Retry;

public sealed class SpillFileTests
{
    [Fact]
    public void A_file_that_could_not_take_its_first_piece_is_closed()
    {
        var path = Path.GetTempFileName();
        try
        {
            var handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read);
            Assert.ThrowsAny<Exception>(() => new SpillFile(handle).Begin("content"u8));
            Assert.True(handle.IsClosed);
        }
        finally
        {
            File.Delete(path);
        }
    }
}

/** The file system's errors in words a user can act on. Node only. */

/** The `code` of a Node error, such as `ENOENT`; empty for other values. */
export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** What happened and what to do, as a clause: `the disk is full. Free some space`. */
export function describeFileError(error: unknown): string {
  switch (errorCode(error)) {
    case 'ENOENT': return 'there is no such file or folder. Check the path';
    case 'ENOTDIR': return 'part of the path is a file, not a folder. Check the path';
    case 'EISDIR': return 'it is a folder, not a file. Name a file in it';
    case 'EEXIST': return 'something of this name exists already. Choose another name';
    case 'EACCES': case 'EPERM': return 'permission is denied. Check who owns the file and its folder';
    case 'EROFS': return 'the disk is read-only. Choose another folder';
    case 'ENOSPC': case 'EDQUOT': return 'the disk is full. Free some space or choose another folder';
    case 'ENAMETOOLONG': return 'the name is too long. Choose a shorter one';
    case 'ELOOP': return 'its symbolic links go round in a circle. Name the file itself';
    case 'EMFILE': case 'ENFILE': return 'too many files are open. Close some programs';
    case 'EBUSY': case 'ETXTBSY': return 'another program is using it. Close that program';
    case 'EIO': return 'the disk reports an error. Copy the file from another disk';
    default: return error instanceof Error ? error.message.split('\n')[0] : String(error);
  }
}
